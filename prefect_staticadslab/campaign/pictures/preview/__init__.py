"""A campaign's ads as they would be, before anything is paid for."""
