"""The links: one module per outside system. Nothing else talks to the outside.

A link raises :class:`console.errors.LinkError` and nothing else, cleans every text it
takes in, and answers or fails by the deadline it is given.
"""
