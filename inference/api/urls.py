from django.urls import path

import registry.api.urls  # noqa: F401 (registers <model:…>: an id or a name)
from inference.api import views

urlpatterns = [
    path("predict/<model:model>", views.PredictView.as_view(), name="api-predict"),
    path("predictions", views.PredictionsView.as_view(), name="api-predictions"),
    path("predictions/<uuid:prediction_id>", views.PredictionView.as_view(), name="api-prediction"),
]
