"""From an HTTP response to what it says: body, envelope, resource or typed error."""
