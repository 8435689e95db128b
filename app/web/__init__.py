"""What every request passes: authentication, concurrency limit, uploads, problem details, OpenAPI. Knows no model."""
