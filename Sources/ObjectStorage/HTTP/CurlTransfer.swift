import CCurl
import Synchronization
import SystemPackage

/// One exchange: its request, what has arrived of its answer, and who waits for it.
///
/// Unchecked: made and filled by the requesting task, then handed through the engine's inbox; from there on the engine's
/// thread alone touches it, and libcurl's callbacks, which run on that thread.
final class CurlTransfer: @unchecked Sendable {
    typealias Outcome = Result<HTTPResponse, HTTPError>

    /// The most bytes of head that are taken, and of the body of an answer that is an error.
    private static let headLimit = 128 << 10
    private static let errorBodyLimit = 256 << 10

    let request: HTTPRequest
    var continuation: CheckedContinuation<Outcome, Never>?
    var isCancelled = false
    private(set) var handle: UnsafeMutableRawPointer?

    private var headerList: UnsafeMutablePointer<curl_slist>?
    private var connectionList: UnsafeMutablePointer<curl_slist>?
    private let errorText = UnsafeMutablePointer<CChar>.allocate(capacity: Int(CURL_ERROR_SIZE))
    private var sentOffset = 0
    private var timesSent = 0
    private var response = HTTPResponse(status: 0)
    private var headCount = 0
    private var failure: HTTPError?

    init(_ request: HTTPRequest) {
        self.request = request
        errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
    }

    deinit { errorText.deallocate() }

    /// Resumes the waiting task, exactly once.
    func finish(_ outcome: Outcome) {
        continuation?.resume(returning: outcome)
        continuation = nil
    }

    /// Frees what libcurl was pointed at, after the handle's reset.
    func release() {
        curl_slist_free_all(headerList)
        headerList = nil
        curl_slist_free_all(connectionList)
        connectionList = nil
        handle = nil
    }

    // MARK: - Before

    /// Sets the handle up. Gives the reason when the request cannot be sent.
    func configure(_ handle: UnsafeMutableRawPointer, _ settings: HTTPTransportSettings) -> String? {
        self.handle = handle
        var refused: CURLcode?
        func check(_ code: CURLcode) { if code != CURLE_OK, refused == nil { refused = code } }
        func set(_ option: CURLoption, _ value: Int) { check(ccurl_set_long(handle, option, value)) }
        func set(_ option: CURLoption, _ value: String) { check(ccurl_set_string(handle, option, value)) }
        guard Self.isClean(request.url), Self.isClean(request.method) else { return "control characters in the URL" }

        let context = Unmanaged.passUnretained(self).toOpaque()  // the engine holds self while the handle is active
        check(ccurl_set_pointer(handle, CURLOPT_PRIVATE, context))
        check(ccurl_set_pointer(handle, CURLOPT_ERRORBUFFER, errorText))
        set(CURLOPT_NOSIGNAL, 1)
        set(CURLOPT_URL, request.url)
        set(CURLOPT_PATH_AS_IS, 1)
        set(CURLOPT_PROTOCOLS_STR, "http,https")
        // HTTP/2's windows hold large bodies up: through nginx, segments of WAL go a fifth to a third faster without.
        set(CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1)
        set(CURLOPT_FOLLOWLOCATION, 0)
        set(CURLOPT_USERAGENT, settings.userAgent)
        set(CURLOPT_TCP_KEEPALIVE, 1)
        set(CURLOPT_BUFFERSIZE, 512 << 10)  // the most that libcurl 7.88 takes
        if let file = settings.caFile { set(CURLOPT_CAINFO, file) }

        // Set in any case, so that libcurl does not look into the environment.
        let isSecure = request.url.hasPrefix("https:")
        let proxy = isSecure ? settings.proxies.https : settings.proxies.http
        set(CURLOPT_PROXY, request.bypassesProxy ? "" : proxy ?? "")
        set(CURLOPT_NOPROXY, settings.proxies.except)

        if let address = request.connectsTo {
            guard Self.isClean(address) else { return "control characters in the host to connect to" }
            // For whatever host and port.
            connectionList = curl_slist_append(nil, "::\(address)")
            guard connectionList != nil else { return "out of memory" }
            check(ccurl_set_connect_to(handle, connectionList))
        }

        set(CURLOPT_CONNECTTIMEOUT_MS, settings.connectTimeout.wholeMilliseconds)
        let stall = request.stallTimeout ?? settings.stallTimeout
        set(CURLOPT_LOW_SPEED_LIMIT, 1)
        set(CURLOPT_LOW_SPEED_TIME, max(1, stall.wholeMilliseconds / 1000))
        if let deadline = request.deadline { set(CURLOPT_TIMEOUT_MS, deadline.wholeMilliseconds) }

        check(ccurl_set_data_function(handle, CURLOPT_HEADERFUNCTION, Self.onHeader))
        check(ccurl_set_pointer(handle, CURLOPT_HEADERDATA, context))
        check(ccurl_set_data_function(handle, CURLOPT_WRITEFUNCTION, Self.onBody))
        check(ccurl_set_pointer(handle, CURLOPT_WRITEDATA, context))
        check(ccurl_set_before_request_function(handle, Self.beforeRequest))
        check(ccurl_set_pointer(handle, CURLOPT_PREREQDATA, context))

        switch request.method {
        case "GET": break
        case "HEAD": set(CURLOPT_NOBODY, 1)
        case "DELETE" where request.body.count == 0: set(CURLOPT_CUSTOMREQUEST, "DELETE")
        default:
            set(CURLOPT_UPLOAD, 1)
            set(CURLOPT_CUSTOMREQUEST, request.method)
            set(CURLOPT_UPLOAD_BUFFERSIZE, min(2 << 20, max(16 << 10, request.body.count)))
            check(ccurl_set_offset(handle, CURLOPT_INFILESIZE_LARGE, curl_off_t(request.body.count)))
            check(ccurl_set_data_function(handle, CURLOPT_READFUNCTION, Self.onRead))
            check(ccurl_set_pointer(handle, CURLOPT_READDATA, context))
            check(ccurl_set_seek_function(handle, Self.onSeek))
            check(ccurl_set_pointer(handle, CURLOPT_SEEKDATA, context))
        }

        // An empty `Expect:` keeps libcurl from waiting a round trip, or a second, before a large body.
        var lines = ["Expect:"]
        for (name, value) in request.headers {
            guard Self.isClean(name), Self.isClean(value) else { return "control characters in the header \(name)" }
            lines.append(value.isEmpty ? "\(name);" : "\(name): \(value)")
        }
        for line in lines {
            guard let longer = curl_slist_append(headerList, line) else { return "out of memory" }
            headerList = longer
        }
        check(ccurl_set_headers(handle, headerList))
        return refused.map { String(cString: curl_easy_strerror($0)) }
    }

    /// No text that goes into a request's head may start another line.
    private static func isClean(_ text: String) -> Bool {
        text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }
    }

    // MARK: - During: libcurl's callbacks. They note what went wrong and return the code that ends the transfer

    private static func transfer(_ context: UnsafeMutableRawPointer?) -> CurlTransfer? {
        context.map { Unmanaged<CurlTransfer>.fromOpaque($0).takeUnretainedValue() }
    }

    private static let beforeRequest: ccurl_before_request_function = { context, _, _, _, _ in
        guard let transfer = transfer(context) else { return CURL_PREREQFUNC_ABORT }
        transfer.timesSent += 1
        return transfer.timesSent == 1 || transfer.request.isRepeatable ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT
    }

    private static let onHeader: ccurl_data_function = { data, size, count, context in
        guard let transfer = transfer(context), let data else { return 0 }
        let bytes = UnsafeRawBufferPointer(start: data, count: size * count)
        return transfer.takeHeader(bytes) ? bytes.count : 0
    }

    private static let onBody: ccurl_data_function = { data, size, count, context in
        guard let transfer = transfer(context), let data else { return 0 }
        let bytes = UnsafeRawBufferPointer(start: data, count: size * count)
        return transfer.takeBody(bytes) ? bytes.count : 0
    }

    private static let onRead: ccurl_data_function = { data, size, count, context in
        guard let transfer = transfer(context), let data else { return Int(CURL_READFUNC_ABORT) }
        return transfer.give(UnsafeMutableRawBufferPointer(start: data, count: size * count))
    }

    private static let onSeek: ccurl_seek_function = { context, offset, origin in
        guard let transfer = transfer(context), origin == 0, offset >= 0, offset <= transfer.request.body.count else {
            return Int32(CURL_SEEKFUNC_FAIL)
        }
        transfer.sentOffset = Int(offset)
        return Int32(CURL_SEEKFUNC_OK)
    }

    private func takeHeader(_ bytes: UnsafeRawBufferPointer) -> Bool {
        headCount += bytes.count
        guard headCount <= Self.headLimit else {
            failure = HTTPError(.tooLong, "the head of the answer is longer than \(Self.headLimit) bytes")
            return false
        }
        var end = bytes.count
        while end > 0, bytes[end - 1] == 13 || bytes[end - 1] == 10 || bytes[end - 1] == 32 { end -= 1 }
        if bytes.count >= 5, bytes.prefix(5).elementsEqual("HTTP/".utf8) {  // also after an interim 1xx answer
            response = HTTPResponse(status: 0)
            var status = 0
            ccurl_get_long(handle, CURLINFO_RESPONSE_CODE, &status)
            response.status = status
        } else if let colon = bytes[0..<end].firstIndex(of: 58) {
            var start = colon + 1
            while start < end, bytes[start] == 32 || bytes[start] == 9 { start += 1 }
            let name = String(decoding: bytes[0..<colon], as: UTF8.self).lowercased()
            response.headers.fields.append((name, String(decoding: bytes[start..<end], as: UTF8.self)))
        }
        return true
    }

    private func takeBody(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard (200..<300).contains(response.status) else {
            // The first bytes say what is wrong; a long page of excuses is not kept.
            response.body.append(contentsOf: bytes.prefix(Self.errorBodyLimit - response.body.count))
            return true
        }
        guard bytes.count <= request.responseLimit - response.body.count else {
            failure = HTTPError(.tooLong, "the answer is longer than the \(request.responseLimit) bytes expected")
            return false
        }
        if response.body.isEmpty, let length = response.headers["content-length"].flatMap({ Int($0) }), length > 0 {
            response.body.reserveCapacity(min(length, request.responseLimit))
        }
        response.body.append(contentsOf: bytes)
        return true
    }

    private func give(_ buffer: UnsafeMutableRawBufferPointer) -> Int {
        let position = sentOffset
        var count = 0
        switch request.body {
        case .none: break
        case .bytes(let bytes, let range):
            count = min(buffer.count, range.count - position)
            bytes.withUnsafeBytes { source in
                let start = range.lowerBound + position
                buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: source[start..<start + count]))
            }
        case .file(let region):
            do throws(Errno) { count = try region.read(at: position, into: buffer) } catch {
                failure = HTTPError(.invalid, "reading the file to send: \(error)")
                return Int(CURL_READFUNC_ABORT)
            }
            if count == 0, position < region.count {
                failure = HTTPError(.invalid, "the file to send has become shorter")
                return Int(CURL_READFUNC_ABORT)
            }
        }
        sentOffset += count
        return count
    }

    // MARK: - After

    /// What became of it, while the handle still knows.
    func result(_ code: CURLcode) -> Outcome {
        if code == CURLE_OK {
            var status = 0
            ccurl_get_long(handle, CURLINFO_RESPONSE_CODE, &status)
            response.status = status
            return .success(response)
        }
        let partial = response.status == 0 ? nil : response
        if let failure {
            return .failure(HTTPError(failure.code, failure.message, wasSent: timesSent > 0, partial: partial))
        }
        var text = String(cString: errorText)
        if text.isEmpty { text = String(cString: curl_easy_strerror(code)) }
        let kind = Self.code(for: code, isConnected: timesSent > 0)
        if code == CURLE_ABORTED_BY_CALLBACK { text = "the connection was closed before the answer came" }
        return .failure(HTTPError(kind, text, wasSent: timesSent > 0, partial: partial))
    }

    func cancellation() -> HTTPError { HTTPError(.cancelled, "cancelled", wasSent: timesSent > 0) }

    private static func code(for code: CURLcode, isConnected: Bool) -> HTTPError.Code {
        switch code {
        case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY: .cannotResolve
        case CURLE_COULDNT_CONNECT: .cannotConnect
        case CURLE_OPERATION_TIMEDOUT: isConnected ? .timedOut : .cannotConnect
        case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_CERTPROBLEM:
            .untrusted
        case CURLE_URL_MALFORMAT, CURLE_UNSUPPORTED_PROTOCOL: .invalid
        default: .broken
        }
    }
}

extension Duration {
    /// Rounded up, so that a positive duration never becomes none.
    var wholeMilliseconds: Int {
        let (seconds, attoseconds) = components
        guard seconds < Int64(Int32.max) / 1000 else { return Int(Int32.max) }
        return Int(seconds) * 1000 + Int((attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
    }
}
