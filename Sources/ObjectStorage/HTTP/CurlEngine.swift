import CCurl
import Glibc
import Synchronization

/// The thread that drives all transfers of one transport, by libcurl's multi interface.
///
/// Unchecked: `commands` is guarded by its mutex; everything else that changes is touched by the engine's own thread
/// alone, from when it starts. `multi` is used by other threads for `curl_multi_wakeup` only, which libcurl allows.
final class CurlEngine: @unchecked Sendable {
    enum Command {
        case start(CurlTransfer)
        case cancel(CurlTransfer)
        case stop
    }

    private struct Inbox {
        var commands: [Command] = []
        var hasThread = false
    }

    /// libcurl's own start-up, and of the libraries that it uses, once a process.
    static let isReady: Bool = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK

    /// Handles kept for the next transfer; more than this many are freed.
    private static let idleHandleLimit = 8

    private let settings: HTTPTransportSettings
    private let multi: UnsafeMutableRawPointer?
    private let inbox = Mutex(Inbox())

    private var active: [UnsafeMutableRawPointer: CurlTransfer] = [:]
    /// Transfers that wait for one of the `maximumConnections`, oldest first.
    private var waiting: [CurlTransfer] = []
    private var idleHandles: [UnsafeMutableRawPointer] = []

    init(settings: HTTPTransportSettings) {
        self.settings = settings
        multi = Self.isReady ? curl_multi_init() : nil
        let limit = settings.maximumConnections
        ccurl_multi_set_long(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, limit)
        ccurl_multi_set_long(multi, CURLMOPT_MAXCONNECTS, limit)
    }

    deinit {
        for handle in idleHandles { curl_easy_cleanup(handle) }
        if let multi { curl_multi_cleanup(multi) }
    }

    /// Hands a command to the thread, which starts with the first one.
    func submit(_ command: Command) {
        let needsThread = inbox.withLock { inbox in
            if case .stop = command, !inbox.hasThread { return false }
            inbox.commands.append(command)
            defer { inbox.hasThread = true }
            return !inbox.hasThread
        }
        if needsThread, !startThread() {
            runOnce(failing: "cannot start a thread for network transfers")
        } else if let multi {
            curl_multi_wakeup(multi)
        }
    }

    private func startThread() -> Bool {
        guard multi != nil else { return false }
        var thread = pthread_t()
        let context = Unmanaged.passRetained(self)
        let code = pthread_create(
            &thread, nil,
            { raw in
                if let raw { Unmanaged<CurlEngine>.fromOpaque(raw).takeRetainedValue().run() }
                return nil
            }, context.toOpaque())
        guard code == 0 else {
            context.release()
            return false
        }
        pthread_detach(thread)
        return true
    }

    /// Without a thread no transfer can run: all that is asked for fails, and the next request tries again.
    private func runOnce(failing message: String) {
        let commands = inbox.withLock { inbox in
            inbox.hasThread = false
            defer { inbox.commands = [] }
            return inbox.commands
        }
        for case .start(let transfer) in commands { transfer.finish(.failure(HTTPError(.invalid, message))) }
    }

    // MARK: - On the engine's thread

    private func run() {
        // Signals belong to the threads that wait for them; a broken pipe is an error of the one transfer.
        var signals = sigset_t()
        sigfillset(&signals)
        pthread_sigmask(SIG_BLOCK, &signals, nil)

        var isStopping = false
        while !isStopping {
            let commands = inbox.withLock { inbox in
                defer { inbox.commands.removeAll(keepingCapacity: true) }
                return inbox.commands
            }
            for command in commands {
                switch command {
                case .start(let transfer): enqueue(transfer)
                case .cancel(let transfer): cancel(transfer)
                case .stop: isStopping = true
                }
            }
            startWaiting()
            var running: Int32 = 0
            curl_multi_perform(multi, &running)
            if collectFinished() > 0 && !waiting.isEmpty { continue }
            if !isStopping { curl_multi_poll(multi, nil, 0, 10_000, nil) }
        }
        for transfer in waiting { transfer.finish(.failure(HTTPError(.cancelled, "the transport has ended"))) }
        for (handle, transfer) in active {
            curl_multi_remove_handle(multi, handle)
            curl_easy_cleanup(handle)
            transfer.finish(.failure(HTTPError(.cancelled, "the transport has ended", wasSent: true)))
        }
        waiting = []
        active = [:]
    }

    private func enqueue(_ transfer: CurlTransfer) {
        if transfer.isCancelled {
            transfer.finish(.failure(HTTPError(.cancelled, "cancelled")))
        } else {
            waiting.append(transfer)
        }
    }

    private func cancel(_ transfer: CurlTransfer) {
        transfer.isCancelled = true
        if let handle = transfer.handle {
            curl_multi_remove_handle(multi, handle)
            active[handle] = nil
            let error = transfer.cancellation()
            retire(handle, of: transfer, isReusable: false)
            transfer.finish(.failure(error))
        } else if let index = waiting.firstIndex(where: { $0 === transfer }) {
            waiting.remove(at: index)
            transfer.finish(.failure(HTTPError(.cancelled, "cancelled")))
        }
    }

    private func startWaiting() {
        var started = 0
        while started < waiting.count, active.count < settings.maximumConnections {
            start(waiting[started])
            started += 1
        }
        waiting.removeFirst(started)
    }

    private func start(_ transfer: CurlTransfer) {
        guard let handle = idleHandles.popLast() ?? curl_easy_init() else {
            transfer.finish(.failure(HTTPError(.invalid, "libcurl gives no handle")))
            return
        }
        if let problem = transfer.configure(handle, settings) {
            retire(handle, of: transfer, isReusable: false)
            transfer.finish(.failure(HTTPError(.invalid, problem)))
            return
        }
        let code = curl_multi_add_handle(multi, handle)
        guard code == CURLM_OK else {
            retire(handle, of: transfer, isReusable: false)
            transfer.finish(.failure(HTTPError(.invalid, String(cString: curl_multi_strerror(code)))))
            return
        }
        active[handle] = transfer
    }

    private func collectFinished() -> Int {
        var count = 0
        var code = CURLE_OK
        while let handle = ccurl_multi_next_done(multi, &code) {
            count += 1
            curl_multi_remove_handle(multi, handle)
            guard let transfer = active.removeValue(forKey: handle) else {
                curl_easy_cleanup(handle)
                continue
            }
            let result = transfer.result(code)
            retire(handle, of: transfer, isReusable: code == CURLE_OK)
            transfer.finish(result)
        }
        return count
    }

    /// Keeps the handle for another transfer, or frees it. One whose transfer failed is freed: libcurl 7.88 takes no
    /// options any more on a handle that failed to find a host.
    private func retire(_ handle: UnsafeMutableRawPointer, of transfer: CurlTransfer, isReusable: Bool) {
        // The handle lets go of what it points at before that goes.
        if isReusable, idleHandles.count < Self.idleHandleLimit {
            curl_easy_reset(handle)
            idleHandles.append(handle)
        } else {
            curl_easy_cleanup(handle)
        }
        transfer.release()
    }
}
