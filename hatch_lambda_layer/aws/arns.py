"""ARNs, the names of things in AWS: `arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE`.

Their form is that of the page "Amazon Resource Names (ARNs)" in the IAM user guide.
"""

from __future__ import annotations


def account_of(arn: str) -> str:
    """Return the 12-digit id of the account that an ARN names."""
    return arn.split(":")[4]


def partition_of(region: str) -> str:
    """Return the partition of a Region; that of `*`, which stands for any Region, is `aws`."""
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"


def layer_arn(region: str, account: str, name: str) -> str:
    """Return the ARN of a layer, without the number of a version."""
    return f"arn:{partition_of(region)}:lambda:{region}:{account}:layer:{name}"
