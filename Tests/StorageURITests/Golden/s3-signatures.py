#!/usr/bin/env python3
"""Adds to signatures.json what Amazon's Python library signs: the requests of its own S3 client, as it would send them.

    pip install botocore && ./s3-signatures.py

What the client made before is replaced; the other cases, of Amazon's test suite and reference and of the library's
signer by itself, stay.
"""
import datetime
import json
import pathlib
import urllib.parse

import botocore
import botocore.auth
import botocore.session
from botocore.awsrequest import AWSResponse
from botocore.config import Config

FILE = pathlib.Path(__file__).parent / 'signatures.json'
ORIGIN = f'botocore {botocore.__version__} client'
NOW = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)
KEYS = ('AKIDEXAMPLE', 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY')
ADDED = {'host', 'x-amz-date', 'x-amz-content-sha256', 'x-amz-security-token'}
ODD = 'p/a b+c%d&e=f/ü日本😀~*(!)\'";:@,$?#[]{}|^`<>\\'

cases = []


def client(region='us-east-1', url='http://127.0.0.1:9000', style='path', token=None, **s3):
    config = Config(
        signature_version='s3v4', s3={'addressing_style': style, **s3}, retries={'max_attempts': 0},
        request_checksum_calculation='when_required', response_checksum_validation='when_required')
    made = botocore.session.get_session().create_client(
        's3', region_name=region, endpoint_url=url, config=config,
        aws_access_key_id=KEYS[0], aws_secret_access_key=KEYS[1], aws_session_token=token)
    made.meta.events.register('before-send.s3', lambda request, **_: keep(request, region, token))
    return made


def keep(request, region, token):
    """Notes the request, and answers in the service's place."""
    url = urllib.parse.urlsplit(request.url)
    headers = {name.lower(): value for name, value in request.headers.items()}
    text = lambda value: value.decode() if isinstance(value, bytes) else str(value)
    authorization = text(headers['authorization'])
    fields = dict(part.strip().split('=', 1) for part in authorization.split(' ', 1)[1].split(','))
    signed = [name for name in fields['SignedHeaders'].split(';') if name not in ADDED]
    cases.append({
        'name': keep.name, 'origin': ORIGIN, 'service': 's3', 'region': region,
        'date': text(headers['x-amz-date']), 'accessKey': KEYS[0], 'secretKey': KEYS[1], 'token': token,
        'method': request.method, 'host': url.netloc, 'path': urllib.parse.unquote(url.path),
        'query': [list(item) for item in urllib.parse.parse_qsl(url.query, keep_blank_values=True)],
        'headers': [[name, text(headers[name])] for name in signed],
        'payloadHash': text(headers['x-amz-content-sha256']), 'signature': fields['Signature'],
        'target': url.path + (f'?{url.query}' if url.query else ''),
    })
    return AWSResponse(request.url, 404, {}, None)


def case(name, operation, on=None, **parameters):
    keep.name = name
    before = len(cases)
    try:
        getattr(on or client(), operation)(Bucket='bucket', **parameters)
    except Exception as error:  # what it makes of our answer is its own affair
        if len(cases) == before:
            raise error
    assert len(cases) == before + 1, name


botocore.auth.get_current_datetime = lambda *_, **__: NOW.replace(tzinfo=None)

md5 = 'CY9rzUYh03PK3k6DJie09g=='
retain = NOW + datetime.timedelta(days=30)
case('put with every header', 'put_object', Key='p/pack', Body=b'test', ContentMD5=md5, IfNoneMatch='*',
     StorageClass='STANDARD_IA', ServerSideEncryption='aws:kms', SSEKMSKeyId='key/1',
     Metadata={'zenith-write': '1-2', 'Spaced': '  two   words '}, ContentType='application/octet-stream',
     ObjectLockMode='GOVERNANCE', ObjectLockRetainUntilDate=retain)
case('put with a key of our own', 'put_object', Key='p/pack', Body=b'test', SSECustomerAlgorithm='AES256',
     SSECustomerKey='0123456789abcdef0123456789abcdef')
case('put with a checksum', 'put_object', Key='p/pack', Body=b'test', ChecksumSHA256='n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=')
case('put of an odd key', 'put_object', Key=ODD, Body=b'')
case('get of a range', 'get_object', Key='p/pack', Range='bytes=5-17', IfMatch='"9bb58f26192e4ba00f01e2e7b136bbd8"')
case('get of an odd key', 'get_object', Key=ODD)
case('head', 'head_object', Key='p/manifest')
case('delete', 'delete_object', Key=ODD)
case('delete of a batch', 'delete_objects',
     Delete={'Objects': [{'Key': ODD}, {'Key': 'p/second'}], 'Quiet': True})
case('multipart begun', 'create_multipart_upload', Key=ODD, StorageClass='STANDARD_IA', Metadata={'zenith-write': '1-2'})
case('multipart, a part', 'upload_part', Key=ODD, UploadId='2~VXBsb2FkSUQ.-_~/+=', PartNumber=12, Body=b'test', ContentMD5=md5)
case('multipart joined', 'complete_multipart_upload', Key=ODD, UploadId='2~VXBsb2FkSUQ.-_~/+=', IfNoneMatch='*',
     MultipartUpload={'Parts': [{'ETag': '"1"', 'PartNumber': 1}, {'ETag': '"2"', 'PartNumber': 2}]})
case('multipart removed', 'abort_multipart_upload', Key=ODD, UploadId='2~VXBsb2FkSUQ.-_~/+=')
case('multipart uploads listed', 'list_multipart_uploads', Prefix=ODD)
case('list with odd characters', 'list_objects_v2', Prefix=ODD, Delimiter='/', MaxKeys=1000, EncodingType='url',
     StartAfter=ODD + ' +')
case('list gone on with', 'list_objects_v2', Prefix='p/', ContinuationToken='1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM=')
case('old list', 'list_objects', Prefix=ODD, Marker=ODD, MaxKeys=7, EncodingType='url')
case('object lock asked for', 'get_object_lock_configuration')
case('object locked', 'put_object_retention', Key=ODD, Retention={'Mode': 'COMPLIANCE', 'RetainUntilDate': retain})
case('bucket in the host name', 'put_object', client(url='http://s3.localhost:9000', style='virtual'), Key=ODD, Body=b'test')
case('Amazon, with a session', 'list_objects_v2', client(region='eu-west-1', url=None, style='auto', token='IQoJ+b3/JpZ2lu=='),
     Prefix=ODD, Delimiter='/')
case('over TLS, its body unsigned', 'put_object', client(url='https://s3.example.org', payload_signing_enabled=False), Key='p/pack', Body=b'test')

kept = [case for case in json.loads(FILE.read_text()) if not case['origin'].endswith(' client')]
FILE.write_text(json.dumps(kept + cases, indent=1, ensure_ascii=True) + '\n')
print(f'{len(cases)} cases of {ORIGIN}, {len(kept)} others')
