/// Refusals as Azure writes them.
extension ServiceFailure {
    init(azure response: HTTPResponse) {
        let element = XMLElement.parse(response.body)
        // An answer to HEAD has the name alone, in its head.
        let name = response.headers["x-ms-error-code"] ?? element?["Code"] ?? ""
        // Behind the first line come the request's name and time.
        let lines = element?["Message"]?.split(whereSeparator: \.isNewline) ?? []
        self.init(status: response.status, serviceCode: name, message: lines.first.map(String.init) ?? "")
        take(head: response.headers)
        isContainerMissing = name == "ContainerNotFound"
        reconsider()
        if let reason = element?["AuthenticationErrorDetail"], Self.isWorthTelling(reason) {
            detail += "\(detail.isEmpty ? "" : " ")\(reason)"
        }
        if element == nil { explain(by: response.body) }
        add(requestID: response.headers["x-ms-request-id"])
    }

    /// What the status alone does not tell, or tells wrongly.
    private mutating func reconsider() {
        switch serviceCode {
        case "BlobAlreadyExists", "UnauthorizedBlobOverwrite": code = .alreadyExists
        case "Md5Mismatch":  // the body was changed on its way
            (code, isRetryable) = (.unavailable, true)
        case "InvalidBlockList": code = .unavailable  // removed by somebody: to be sent anew
        case "ConditionNotMet", "TargetConditionNotMet", "": break
        default:
            // Of a lease, mostly.
            if status == 412 { code = .invalid }
        }
    }

    /// Why a signature is refused; not the long text that it was to be made of.
    private static func isWorthTelling(_ reason: String) -> Bool {
        reason.utf8.count < 300 && reason.lowercased().firstRange(of: "string to sign") == nil
            && reason.firstRange(of: "MAC signature") == nil
    }
}
