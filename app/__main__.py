"""Starts the service: `python -m app`. Imports nothing at the top, because each child process runs this file again."""

if __name__ == "__main__":
    from app.server.supervisor import main

    main()
