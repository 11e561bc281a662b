"""Keep logins for registries."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel

from service.errors import documented
from service.handlers.parameters import OnProcess, Pusher, Reader
from service.logic import registries
from shipway.models.credentials import RegistryLogin
from shipway.models.fields import RegistryHost

router = APIRouter(prefix="/v1/registries", responses=documented(404, 422), tags=["registries"])

Registry = Annotated[RegistryHost, Path(description="host of a registry; docker.io for Docker Hub")]


class RegistryList(BaseModel):
    """Registries, by host."""

    registries: list[str]


@router.get("", summary="List the registries that there is a login for")
async def list_registries(process: OnProcess, caller: Reader) -> RegistryList:
    return RegistryList(registries=await registries.registries(process, caller.project))


@router.put(
    "/{registry}",
    summary="Keep a login for a registry",
    description="A worker tries it first. From then on every job of the project may use it; one that comes with a "
    "request goes before it. It is kept sealed, and told to nobody.",
)
async def log_in(registry: Registry, body: RegistryLogin, process: OnProcess, caller: Pusher) -> RegistryList:
    return RegistryList(registries=await registries.log_in(process, caller, registry, body))


@router.delete("/{registry}", summary="Forget the login for a registry")
async def log_out(registry: Registry, process: OnProcess, caller: Pusher) -> RegistryList:
    return RegistryList(registries=await registries.log_out(process, caller, registry))
