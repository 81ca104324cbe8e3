"""Answers in the forms that Azure has."""

from tests.servers.proxy import Response

TIME = "Fri, 20 Nov 2026 17:00:00 GMT"
MD5 = "1B2M2Y8AsgTpgAmY7PhCfg=="


def refusal(status, code, message="", **headers):
    """Return an answer in the form of Azure's errors."""
    body = f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code><Message>{message}</Message></Error>'
    return Response(status, body.encode(), {"x-ms-error-code": code, "content-type": "application/xml", **headers})


def escaped(text):
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def entry(name, size=1, *, etag="0x8D", md5=MD5, more="", name_more="", properties="", metadata="<Metadata />"):
    told = f"<Content-MD5>{md5}</Content-MD5>" if md5 else "<Content-MD5 />"
    return (
        f"<Blob><Name{name_more}>{escaped(name)}</Name>{more}<Properties><Creation-Time>{TIME}</Creation-Time>"
        f"<Last-Modified>{TIME}</Last-Modified><Etag>{etag}</Etag><Content-Length>{size}</Content-Length>"
        f"<Content-Type>text/plain</Content-Type><Content-Encoding /><Content-CRC64 />{told}<Cache-Control />"
        f"<BlobType>BlockBlob</BlobType>{properties}</Properties>{metadata}<OrMetadata /></Blob>"
    )


def document(*entries, marker="<NextMarker />", blobs="<Blobs>{}</Blobs>", bom=b"\xef\xbb\xbf"):
    text = (
        '<?xml version="1.0" encoding="utf-8"?><EnumerationResults ServiceEndpoint="https://a/" ContainerName="box">'
        f"<Prefix>p</Prefix>{blobs.format(''.join(entries))}{marker}</EnumerationResults>"
    )
    return bom + text.encode()
