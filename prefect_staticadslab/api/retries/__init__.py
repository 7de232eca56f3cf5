"""When a request is sent once more: the policy, its pauses, and what the API locks meanwhile."""
