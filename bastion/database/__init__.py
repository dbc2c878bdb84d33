"""How this program holds on to its database: connections that never hang, and the knowledge that it is away."""
