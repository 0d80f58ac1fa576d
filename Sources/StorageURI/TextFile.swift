import FoundationEssentials

/// A small text file, named by a variable or lying at a vendor's usual place.
enum TextFile {
    enum Failure: Error, Equatable {
        case missing
        case unreadable(String)
    }

    private static let maximumBytes = 1 << 20

    static func read(_ path: String) throws(Failure) -> String {
        let data: Data
        do {
            data = try Data(contentsOf: URL(filePath: path))
        } catch {
            switch (error as? CocoaError)?.code {
            case .fileReadNoSuchFile, .fileNoSuchFile: throw .missing
            case .fileReadNoPermission: throw .unreadable("permission denied")
            default: throw .unreadable("cannot be read")
            }
        }
        guard data.count <= maximumBytes else { throw .unreadable("is longer than \(maximumBytes) bytes") }
        guard let text = String(validating: data, as: UTF8.self) else { throw .unreadable("is not UTF-8 text") }
        return text
    }
}
