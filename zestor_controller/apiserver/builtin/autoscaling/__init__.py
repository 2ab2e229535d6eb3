"""The autoscaling group: HorizontalPodAutoscalers in two versions."""
