package import HoldfastArchive
package import HoldfastEngine
internal import HoldfastModel

/// The keys of `diff --json` before the differences.
package struct DifferencesHeadJSON: Encodable {
  let older: SnapshotReferenceJSON
  let newer: SnapshotReferenceJSON

  package init(from older: Snapshot, to newer: Snapshot) {
    (self.older, self.newer) = (SnapshotReferenceJSON(older), SnapshotReferenceJSON(newer))
  }
}

/// The difference at one path, as `diff --json` shows it.
package struct DifferenceJSON: Encodable {
  let change: String
  let path: String
  let sizeBefore: UInt64?
  let sizeAfter: UInt64?

  package init(_ difference: Difference) {
    (change, path) = (difference.kind.rawValue, difference.path.description)
    (sizeBefore, sizeAfter) = (difference.sizeBefore, difference.sizeAfter)
  }
}

/// The difference at one path, for people.
package enum DifferenceLine {
  package static func text(_ difference: Difference) -> String {
    "\(mark(difference.kind)) \(difference.path)\(sizes(difference))"
  }

  private static func mark(_ kind: Difference.Kind) -> String {
    switch kind {
    case .added: "+"
    case .removed: "-"
    case .changed: "M"
    case .attributes: "U"
    case .type: "T"
    }
  }

  private static func sizes(_ difference: Difference) -> String {
    switch (difference.sizeBefore, difference.sizeAfter) {
    case (let before?, let after?) where before != after: "  \(Amount.bytes(before)) → \(Amount.bytes(after))"
    case (nil, let size?), (let size?, nil): "  \(Amount.bytes(size))"
    default: ""
    }
  }
}
