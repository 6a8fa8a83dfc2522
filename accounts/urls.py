"""Pages of people. Ours first; the rest of /accounts/ is django-allauth's."""

from allauth.account import views as allauth_views
from django.urls import include, path

from accounts import people_views, views

urlpatterns = [
    path("login/", allauth_views.login, name="login"),
    path("logout/", allauth_views.logout, name="logout"),
    path("link/<uidb64>/<token>/", views.sign_in_by_link, name="login-link"),
    path("profile/", people_views.profile_page, name="profile"),
    path("data/", people_views.data_page, name="your-data"),
    path("data/export/", people_views.export, name="export"),
    path("data/delete/", people_views.delete, name="delete-account"),
    path("sessions/<int:session_id>/end/", people_views.end_session, name="end-session"),
    path("acting/end/", views.end_acting, name="end-acting"),
    path("", include("allauth.urls")),
]
