"""Customers: their rights at the customers' door, their logins, what they queried, and attempts to get out."""
