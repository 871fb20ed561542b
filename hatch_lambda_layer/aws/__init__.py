"""AWS: the only modules that know boto3, which is imported when AWS is really asked."""
