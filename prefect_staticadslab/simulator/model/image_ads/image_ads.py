"""All image ads, and what is found in them."""

from __future__ import annotations

from prefect_staticadslab.simulator.model.errors import APIError
from prefect_staticadslab.simulator.model.image_ads.job import RenderedAd, Rendering
from prefect_staticadslab.simulator.model.resources.ids import find


class ImageAds:
    """All image ads by id, the oldest first.

    Attributes:
        jobs: The ads with all that was rendered of them.
    """

    def __init__(self) -> None:
        self.jobs: dict[str, RenderedAd] = {}

    def get(self, identifier: str) -> RenderedAd:
        """The ad of an id.

        Raises:
            APIError: 404.
        """
        return find(self.jobs, identifier, "image ad")

    def editable(self, identifier: str, now: float) -> RenderedAd:
        """An ad that can be rendered anew at this moment.

        Raises:
            APIError: 404, 409 while it is rendered, or 422 for a flat ad.
        """
        job = self.get(identifier)
        if not job.is_editable:
            raise APIError(422, "NOT_EDITABLE", f"{identifier} is a flat image ad.")
        if job.status(now) == "processing":
            raise APIError(409, "CONFLICT", f"{identifier} is being rendered at this moment.")
        return job

    def rendering_of(self, name: str) -> tuple[RenderedAd, Rendering] | None:
        """The rendering that a picture's name stands for: an ad's first, or a version's."""
        if name in self.jobs:
            return self.jobs[name], self.jobs[name].renderings[0]
        for job in self.jobs.values():
            for rendering in job.renderings[1:]:
                if rendering.version_id == name:
                    return job, rendering
        return None

    def job_of(self, job_id: str) -> tuple[RenderedAd, Rendering]:
        """The ad and the rendering that a job is for.

        Raises:
            APIError: 404.
        """
        for job in self.jobs.values():
            for rendering in job.renderings:
                if rendering.job_id == job_id:
                    return job, rendering
        raise APIError(404, "NOT_FOUND", f"There is no job {job_id}.")

    def age(self, seconds: float) -> None:
        """Makes all of them so many seconds older."""
        for job in self.jobs.values():
            job.age(seconds)
