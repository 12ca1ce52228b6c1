"""How many replicas a HorizontalPodAutoscaler asks for."""
