import Foundation
import Testing

@testable import ObjectStorage

@Suite("Azure: pieces")
struct AzurePieceTests {
    private static func refusal(
        _ status: Int, _ code: String, body: String? = nil, inHead: Bool = false
    ) -> ServiceFailure {
        var response = HTTPResponse(status: status)
        response.headers.fields = [("x-ms-request-id", "req-1")] + (inHead ? [("x-ms-error-code", code)] : [])
        let text = body ?? "<Code>\(code)</Code><Message>What happened.\nRequestId:req-1\nTime:now</Message>"
        if !inHead { response.body = Array("\u{FEFF}<?xml version=\"1.0\"?><Error>\(text)</Error>".utf8) }
        return ServiceFailure(azure: response)
    }

    @Test(
        "a refusal is what the service calls it",
        arguments: [
            (404, "BlobNotFound", ObjectStoreError.Code.notFound, false),
            (404, "ContainerNotFound", .notFound, false),
            (409, "BlobAlreadyExists", .alreadyExists, false), (412, "ConditionNotMet", .alreadyExists, false),
            (403, "UnauthorizedBlobOverwrite", .alreadyExists, false),
            (412, "LeaseIdMissing", .invalid, false), (409, "BlobImmutableDueToPolicy", .invalid, false),
            (400, "InvalidBlockList", .unavailable, false), (400, "InvalidBlobOrBlock", .invalid, false),
            (400, "Md5Mismatch", .unavailable, true),
            (403, "AuthenticationFailed", .denied, false), (403, "AuthorizationPermissionMismatch", .denied, false),
            (401, "InvalidAuthenticationInfo", .denied, false),
            (503, "ServerBusy", .throttled, true), (429, "TooManyRequests", .throttled, true),
            (500, "InternalError", .unavailable, true), (500, "OperationTimedOut", .unavailable, true),
            (408, "RequestTimeout", .unavailable, true), (502, "", .unavailable, true),
        ])
    func refusals(status: Int, name: String, code: ObjectStoreError.Code, isRetryable: Bool) {
        for inHead in [false, true] {
            let failure = Self.refusal(status, name, inHead: inHead)
            #expect(failure.code == code && failure.isRetryable == isRetryable && failure.serviceCode == name)
            #expect(failure.isContainerMissing == (name == "ContainerNotFound"))
            #expect(failure.mayHaveRun == (status >= 500 || status == 408))
            #expect(failure.detail == (inHead ? "request req-1" : "What happened.; request req-1"))
        }
    }

    @Test("reasons are told, and what was to be signed is not")
    func reasons() {
        func detail(_ reason: String) -> String {
            let body =
                "<Code>AuthenticationFailed</Code><Message>No.</Message>"
                + "<AuthenticationErrorDetail>\(reason)</AuthenticationErrorDetail>"
            return Self.refusal(403, "AuthenticationFailed", body: body).detail
        }
        #expect(detail("Request date header too old").hasPrefix("No. Request date header too old; "))
        #expect(detail("Signature did not match. String to sign used was a") == "No.; request req-1")
        #expect(detail("The MAC signature found in the HTTP request 'x' is not the same") == "No.; request req-1")
    }

    @Test("attributes are read, and no others than those asked for")
    func attributes() throws {
        let text = "<a xEncoded=\"no\" Encoded=\"true\" q='it\"s'><b/><c Encoded='' /></a>"
        let root = try #require(XMLElement.parse(Array(text.utf8)))
        #expect(root.attribute("Encoded") == "true" && root.attribute("q") == "it\"s")
        #expect(root.attribute("ncoded") == nil && root.attribute("none") == nil)
        #expect(root.children.map { $0.attribute("Encoded") } == [nil, ""])
        #expect(XMLElement.parse(Array("<a b=\"1></a>".utf8)) == nil)
    }

    @Test("dates are written as they are read")
    func dates() throws {
        #expect(ServiceDate.httpText(Date(timeIntervalSince1970: 0)) == "Thu, 01 Jan 1970 00:00:00 GMT")
        #expect(ServiceDate.httpText(Date(timeIntervalSince1970: 784_111_777.9)) == "Sun, 06 Nov 1994 08:49:37 GMT")
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.timeZone = TimeZone(identifier: "UTC")
        formatter.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
        // Each day of some four hundred years, at another time of the day.
        for day in 0..<150_000 {
            let date = Date(timeIntervalSince1970: Double(day * 86_400 + day * 7919 % 86_400))
            let text = ServiceDate.httpText(date)
            #expect(ServiceDate.http(text) == date)
            if day % 97 == 0 { #expect(text == formatter.string(from: date)) }
        }
    }
}
