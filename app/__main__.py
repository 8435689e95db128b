"""`python -m app` starts the service. Imports nothing before that: each process that it starts runs this file."""

if __name__ == "__main__":
    from app.server.supervisor import main

    main()
