"""What describes the API to programs: an OpenAPI document, made of what is answered and taken."""
