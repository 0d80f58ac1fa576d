import Glibc

/// Sends a state, such as `READY=1`, to the service manager that `NOTIFY_SOCKET` names, by the protocol of
/// sd_notify(3): one datagram to a local socket, whose name is abstract when it begins with `@`.
///
/// - Returns: False when there is no service manager, or it could not be told.
@discardableResult
public func notifyServiceManager(_ state: String, socketName: String? = environmentVariables()["NOTIFY_SOCKET"]) -> Bool
{
    guard let socketName, socketName.hasPrefix("/") || socketName.hasPrefix("@") else { return false }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    var name = Array(socketName.utf8)
    if name[0] == UInt8(ascii: "@") { name[0] = 0 }
    let capacity = MemoryLayout.size(ofValue: address.sun_path)
    guard name.count < capacity else { return false }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
    let file = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard file >= 0 else { return false }
    defer { close(file) }
    // An abstract name has no end but the length: no zero bytes may follow it.
    let length = MemoryLayout<sockaddr_un>.offset(of: \.sun_path)! + name.count + (name[0] == 0 ? 0 : 1)
    let message = Array(state.utf8)
    let sent = withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            sendto(file, message, message.count, Int32(MSG_NOSIGNAL), $0, socklen_t(length))
        }
    }
    return sent == message.count
}
