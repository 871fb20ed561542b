"""Build AWS Lambda layers for Python from a lockfile: a Hatch plugin, a command, and this API.

The names of `__all__` are imported when they are first used: `import hatch_lambda_layer` alone
loads no other module.
"""

# No import at all: the command has to see to signals before anything takes time.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from .api.build import build_layers
    from .api.compare import compare_layers
    from .api.manifest_manager import LayerManifestManager
    from .api.publish import publish_layers
    from .build.pipeline import BuiltLayer
    from .build.project import BuildFailures
    from .exceptions import (
        AuditError,
        BuildError,
        CacheError,
        ConfigError,
        ConflictError,
        CredentialsError,
        DownloadError,
        ExclusionError,
        LambdaLayerError,
        LockfileError,
        MissingLockfileError,
        OriginError,
        OutputError,
        PublishError,
        SelectionError,
        SizeError,
        ToolError,
        ToolTimeoutError,
        WheelError,
    )
    from .findings import Finding
    from .index.credentials import Credentials
    from .layer.manifest import LayerManifest
    from .layout import LayerPathLayout, LayerS3Layout
    from .publishing.published_version import PublishedVersion
    from .reports.diff import LayerDifference

__version__ = "0.1.0"

__all__ = [
    "AuditError",
    "BuildError",
    "BuildFailures",
    "BuiltLayer",
    "CacheError",
    "ConfigError",
    "ConflictError",
    "Credentials",
    "CredentialsError",
    "DownloadError",
    "ExclusionError",
    "Finding",
    "LambdaLayerError",
    "LayerDifference",
    "LayerManifest",
    "LayerManifestManager",
    "LayerPathLayout",
    "LayerS3Layout",
    "LockfileError",
    "MissingLockfileError",
    "OriginError",
    "OutputError",
    "PublishError",
    "PublishedVersion",
    "SelectionError",
    "SizeError",
    "ToolError",
    "ToolTimeoutError",
    "WheelError",
    "build_layers",
    "compare_layers",
    "publish_layers",
]

# Where the names are defined; those that are missing here are exceptions.
_MODULES = {
    "BuildFailures": "build.project",
    "BuiltLayer": "build.pipeline",
    "Credentials": "index.credentials",
    "Finding": "findings",
    "LayerDifference": "reports.diff",
    "LayerManifest": "layer.manifest",
    "LayerManifestManager": "api.manifest_manager",
    "LayerPathLayout": "layout",
    "LayerS3Layout": "layout",
    "PublishedVersion": "publishing.published_version",
    "build_layers": "api.build",
    "compare_layers": "api.compare",
    "publish_layers": "api.publish",
}

# Not for type checkers, to which every name would be one of this module's then.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """Import a name of `__all__` when it is first used (PEP 562)."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        module = import_module(f".{_MODULES.get(name, 'exceptions')}", __name__)
        value = globals()[name] = getattr(module, name)
        return value


def __dir__() -> list[str]:
    """Return the names of this module, also those that are not imported yet."""
    return sorted({*globals(), *__all__})
