"""Pictures: what people's files hold, read, upscaled and written."""
