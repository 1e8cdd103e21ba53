"""Edges: asked as their users ask them."""
