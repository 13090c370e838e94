package import HoldfastModel

/// An object that cannot be read before its provider has thawed it.
package struct FrozenObject: Sendable, Equatable {
  /// The bucket, and the key in it, as tools of the provider name them.
  package let bucket: String
  package let key: String
  /// The version that is read, if it is an earlier one; `nil` for the current one.
  package let version: String?
  /// The length in bytes.
  package let length: UInt64
  package let storageClass: StorageClass
  /// True if the provider is thawing it.
  package let isThawing: Bool

  package init(
    bucket: String, key: String, version: String? = nil, length: UInt64, storageClass: StorageClass, isThawing: Bool
  ) {
    (self.bucket, self.key, self.version, self.length) = (bucket, key, version, length)
    (self.storageClass, self.isThawing) = (storageClass, isThawing)
  }

  /// The key as one line for a loop around the provider's tool. For an earlier version, a tab and the version follow.
  package var line: String { key + (version.map { "\t\($0)" } ?? "") }

  /// The storage classes of S3 whose objects must be thawed.
  package enum StorageClass: String, Sendable, CaseIterable {
    case glacier = "GLACIER"
    case deepArchive = "DEEP_ARCHIVE"

    /// The duration of a thaw, from the Amazon S3 User Guide, "Understanding archive retrieval options".
    var thawingTime: String {
      switch self {
      case .glacier: "3 to 5 hours with the tier Standard, 5 to 12 hours with Bulk, some minutes with Expedited"
      case .deepArchive: "up to 12 hours with the tier Standard, up to 48 hours with Bulk"
      }
    }
  }
}

/// The error that archives must be thawed before a command can begin.
package struct FrozenArchives: OperatorError, Equatable {
  package let objects: [FrozenObject]
  private let location: String

  /// - Parameter objects: at least one, all in one bucket.
  package init(_ objects: [FrozenObject], location: String) { (self.objects, self.location) = (objects, location) }

  package var message: String {
    let classes = FrozenObject.StorageClass.allCases.compactMap { storageClass -> String? in
      let objects = objects.filter { $0.storageClass == storageClass }
      guard !objects.isEmpty else { return nil }
      let bytes = objects.reduce(UInt64(0)) { $0.saturatingAdding($1.length) }
      return
        "\(Amount.count(UInt64(objects.count), "archive")) with \(Amount.bytes(bytes)) in the storage class \(storageClass.rawValue), which takes \(storageClass.thawingTime)"
    }
    let thawing = UInt64(objects.count { $0.isThawing })
    return "\(location) must thaw first what is needed: " + classes.joined(separator: "; ")
      + (thawing == 0 ? "" : " (it is thawing \(Amount.count(thawing, "archive")) already)")
  }

  package var hint: String? {
    if objects.allSatisfy(\.isThawing) { return "Run the same command again when that is done." }
    let hasVersions = objects.contains { $0.version != nil }
    let (printed, version) = hasVersions ? ("their keys and versions", " --version-id VERSION") : ("their keys", "")
    return
      "`holdfast restore --dry-run` prints \(printed). Thaw each with `aws s3api restore-object --bucket \(objects[0].bucket) --key KEY\(version) --restore-request '{\"Days\":7,\"GlacierJobParameters\":{\"Tier\":\"Standard\"}}'`, and run the same command again when that is done."
  }

  package var exitStatus: ExitStatus { .failed }
  package var scope: ErrorScope { .machine }
}
