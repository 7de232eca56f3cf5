"""What an answer says of an assumption. Answers in, verdicts out; nothing here asks anything."""
