/// Refusals as S3 writes them.
extension ServiceFailure {
    init(s3 response: HTTPResponse) {
        let body = XMLElement.parse(response.body)
        // Inside an answer of status 200 too, `Error` is what counts.
        let element = body?.name == "Error" ? body : body?.children.first { $0.name == "Error" }
        self.init(status: response.status, element: element)
        take(head: response.headers)
        region = element?["Region"] ?? response.headers["x-amz-bucket-region"]
        if element == nil { explain(by: response.body) }
        add(requestID: element?["RequestId"] ?? response.headers["x-amz-request-id"])
    }

    /// - Parameter element: `Error`, as it stands in an answer of its own or in the answer to a batch.
    init(status: Int, element: XMLElement?) {
        self.init(status: status, serviceCode: element?["Code"] ?? "", message: element?["Message"] ?? "")
    }
}
