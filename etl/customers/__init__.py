"""Customers: their rights at the customers' door, their questions, and attempts to get out."""
