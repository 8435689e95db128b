"""HTTP for all routes: middleware, request bodies, problem details, OpenAPI. Knows no model."""
