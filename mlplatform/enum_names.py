"""What OpenAPI calls choices whose fields share a name: drf-spectacular would number them."""

ENUM_NAMES = {
    "PredictionStatusEnum": "inference.models.Prediction.Status",
    "LifecycleEnum": "registry.api.serializers.LIFECYCLE",
    "VersionStatusEnum": "registry.models.ModelVersion.Status",
}
