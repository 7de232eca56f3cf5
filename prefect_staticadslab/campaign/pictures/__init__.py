"""Pictures: downloaded, made small, put into one file, and shown on the contact sheet."""
