"""What every answer says beside itself."""

FIXED_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'self'; frame-ancestors 'none'"),
)
"""Of every answer, also of one to what was no HTTP."""
