"""`requires`: what a field requires of the three systems, for its metadata.

A field with a resolver that declares nothing requires everything, as mutations do; so a new one is right before it is
lean.
"""

from collections.abc import Mapping

from api.requirements import PROCESS_VARIABLES, RESOURCE
from graphql_server.documents.field_requirements import FieldRequirements, declared


def requires(
    *of: str, variables: tuple[str, ...] = (), loaders: tuple[str, ...] = (), with_document: tuple[str, ...] = ()
) -> Mapping[str, FieldRequirements]:
    """What a field requires. `of`: expensive parts of its parent. `variables`: of the process.

    `loaders`: those that find what its selection set is selected on. `with_document`: loaders of plans whose whole
    documents the resolver itself reads.
    """
    parts = {(PROCESS_VARIABLES, name) for name in variables} | {(loader, RESOURCE) for loader in with_document}
    return declared(FieldRequirements(of, loaders, frozenset(parts)))
