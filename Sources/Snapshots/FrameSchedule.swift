import PostgresFormat

/// One frame and what it is a part of.
public struct FrameTarget: Sendable {
    public enum Content: Sendable {
        /// Indexes into `Manifest.forks` and `Manifest.frames`.
        case blocks(fork: Int, frame: Int)
        /// An index into `Manifest.files`, and where in the file the frame's content begins.
        case file(Int, offset: Int, contentBytes: Int)
    }
    public let content: Content
    public let location: FrameLocation
}

/// A group of frames to read with one request, and what each is a part of.
public struct ScheduledGroup: Sendable {
    public var group: FrameGroup
    /// In the order of `group.locations`.
    public var targets: [FrameTarget]
}

extension Manifest {
    /// All frames, in the order in which they lie in their packs, grouped into large reads.
    public func schedule() -> [ScheduledGroup] {
        var targets: [FrameTarget] = []
        targets.reserveCapacity(frames.count + fileFrames.count)
        for (index, fork) in forks.enumerated() {
            for frame in fork.firstFrame..<fork.firstFrame + fork.frameCount {
                targets.append(
                    FrameTarget(content: .blocks(fork: index, frame: frame), location: frames[frame].location))
            }
        }
        for (index, file) in files.enumerated() {
            var offset = 0
            for frame in fileFrames[file.firstFrame..<file.firstFrame + file.frameCount] {
                targets.append(
                    FrameTarget(
                        content: .file(index, offset: offset, contentBytes: frame.contentBytes),
                        location: frame.location))
                offset += frame.contentBytes
            }
        }
        targets.sort { ($0.location.pack, $0.location.offset) < ($1.location.pack, $1.location.offset) }
        var groups: [ScheduledGroup] = []
        for target in targets {
            if !groups.isEmpty, groups[groups.count - 1].group.extend(target.location) {
                groups[groups.count - 1].targets.append(target)
            } else {
                groups.append(ScheduledGroup(group: FrameGroup(target.location), targets: [target]))
            }
        }
        return groups
    }

    /// How many bytes a target's content takes when it is expanded.
    public func contentBytes(of target: FrameTarget) -> Int {
        switch target.content {
        case .blocks(_, let frame): pageCount(of: frames[frame]) * Page.size
        case .file(_, _, let contentBytes): contentBytes
        }
    }
}
