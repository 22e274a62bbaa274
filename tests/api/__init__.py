"""The HTTP surface: what every route takes, answers and refuses."""
