"""Docker's engine: containers, Compose projects and Swarm services become one Fleet."""
