"""The review queue."""

from django.urls import URLPattern

from evals.views import queue, review_sampling, staff_queue
from tenants.access import staff_page, staff_tenant_page, tenant_page
from tenants.roles import Permission

_READ, _LABEL, _MANAGE = Permission.QUALITY_READ, Permission.QUALITY_LABEL, Permission.QUALITY_MANAGE
_STAFF, _STAFF_LABEL = Permission.STAFF_QUALITY, Permission.STAFF_QUALITY_LABEL
_QUEUE, _SAMPLING = "quality/queue/", "quality/queue/sampling/"
_ITEM = f"{_QUEUE}<uuid:item>/"
_VERDICT, _ASKED = f"{_ITEM}verdict/", f"{_QUEUE}runs/<str:run_id>/"

urlpatterns: list[URLPattern] = [
    tenant_page(_QUEUE, queue.review_queue, name="review-queue", needs=_READ),
    tenant_page(_SAMPLING, review_sampling.review_sampling, name="review-sampling", needs=_MANAGE),
    tenant_page(_ASKED, queue.review_asked, name="review-asked", needs=_LABEL),
    tenant_page(_ITEM, queue.review_item, name="review-item", needs=_READ),
    tenant_page(_VERDICT, queue.review_verdict, name="review-verdict", needs=_LABEL),
    staff_page("review/", staff_queue.staff_review, name="staff-review", needs=_STAFF, across_tenants=True),
    staff_tenant_page(_QUEUE, queue.review_queue, name="staff-tenant-review-queue", needs=_STAFF),
    staff_tenant_page(
        _SAMPLING,
        review_sampling.review_sampling,
        name="staff-tenant-review-sampling",
        needs=Permission.STAFF_QUALITY_MANAGE,
        writes=True,
    ),
    staff_tenant_page(_ASKED, queue.review_asked, name="staff-tenant-review-asked", needs=_STAFF_LABEL, writes=True),
    staff_tenant_page(_ITEM, queue.review_item, name="staff-tenant-review-item", needs=_STAFF),
    staff_tenant_page(
        _VERDICT, queue.review_verdict, name="staff-tenant-review-verdict", needs=_STAFF_LABEL, writes=True
    ),
]
