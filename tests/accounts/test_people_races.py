"""Twenty at once: an organization keeps an owner, a link lets one in once."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection
from django.utils.timezone import now

from accounts import invitations, members, organizations
from accounts.errors import AccountsError
from accounts.models import AuditEvent, Membership, User
from accounts.roles import OF_ROLE, Role
from accounts.sign_up import give_personal_organization
from accounts.tenancy import Standing

pytestmark = pytest.mark.django_db(transaction=True)
MANY = 20


def at_once(call, people):
    """call(person) for each, started together; what each raised, or None."""
    barrier = Barrier(len(people))

    def run(person):
        barrier.wait()
        try:
            call(person)
        except AccountsError as refused:
            return refused.code
        finally:
            connection.close()
        return None

    with ThreadPoolExecutor(len(people)) as threads:
        return list(threads.map(run, people))


@pytest.fixture
def owners():
    people = [User.objects.create_user(f"owner-{n}@example.com", None) for n in range(MANY)]
    organization = give_personal_organization(people[0], at=now())
    Membership.objects.bulk_create(
        Membership(user=person, organization=organization, role=Role.OWNER) for person in people[1:]
    )
    return organization, people


def owners_of(organization):
    return organization.memberships.filter(role=Role.OWNER).count()


def test_twenty_owners_leave(owners):
    organization, people = owners

    answers = at_once(
        lambda person: members.leave(organization=organization, user=person, at=now()), people
    )

    assert sorted(answers, key=str) == [None] * 19 + ["last_owner"]
    assert owners_of(organization) == organization.memberships.count() == 1
    assert AuditEvent.objects.filter(verb="member.left").count() == 19


def test_twenty_owners_demote_their_neighbours(owners):
    organization, people = owners
    standing = Standing(organization, Role.OWNER, OF_ROLE[Role.OWNER])
    neighbour = dict(zip(people, [*people[1:], people[0]], strict=True))

    answers = at_once(
        lambda person: members.change_role(
            standing=standing,
            by=person,
            user_id=neighbour[person].pk,
            role=Role.VIEWER,
            at=now(),
        ),
        people,
    )

    # Who was demoted meanwhile reaches nobody any more, so the ring never closes.
    assert owners_of(organization) >= 1
    assert set(answers) <= {None, "role_out_of_reach", "last_owner"}
    assert answers.count(None) == MANY - owners_of(organization)


def test_a_link_lets_one_in_once(owners):
    organization, people = owners
    standing = Standing(organization, Role.OWNER, OF_ROLE[Role.OWNER])
    guest = User.objects.create_user("guest@example.com", None)
    invitation = invitations.invite(
        standing=standing, by=people[0], email=guest.email, role=Role.VIEWER, at=now()
    )
    token = invitations.token_of(invitation)

    answers = at_once(lambda person: invitations.accept(token, by=person, at=now()), [guest] * MANY)

    assert sorted(answers, key=str) == [None] + ["invitation_void"] * 19
    assert organization.memberships.filter(user=guest).count() == 1


def test_nobody_owns_more_than_allowed(owners):
    _, people = owners

    answers = at_once(
        lambda person: organizations.create(name="Acme", by=person, at=now()),
        [people[0]] * MANY,
    )

    assert people[0].memberships.filter(role=Role.OWNER).count() == organizations.MOST_OWNED
    assert sorted(answers, key=str) == [None] * 19 + ["too_many"]
