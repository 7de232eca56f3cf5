"""What is paid for besides image ads: design templates and revisions."""
