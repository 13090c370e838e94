package import HoldfastModel
package import HoldfastSystem

/// How to reach a bucket, beyond its location.
package struct S3Settings: Sendable {
  /// Supplies the credentials for a request at a time. It is called for every request, and keeps what it found.
  package typealias CredentialSource = @Sendable (_ now: Timestamp) throws -> S3Credentials

  /// The region of the bucket; `nil` to take it from the name of the host, otherwise `us-east-1`.
  package var region: String?
  /// Whether the bucket is named in the path instead of the name of the host; `nil`: only for hosts that are not
  /// Amazon's.
  package var isPathStyle: Bool?
  /// A file of certificates that are trusted in place of those of the system.
  package var certificates: Path?
  /// The proxy through which the bucket is reached; `nil` for directly.
  package var proxy: HTTPProxy?
  /// The storage class of archives, such as `GLACIER_IR`; `nil` for that of the bucket. Manifests never have another.
  package var archiveStorageClass: String?
  /// Which objects are archives. Their names are random.
  package var isArchive: @Sendable (_ key: String) -> Bool = { _ in false }
  /// Whether the operator has said that only one machine writes. Then the server need not create objects only if they
  /// are absent.
  package var isSingleWriter = false
  /// For how long objects are locked; `nil` when they are not.
  package var lock: ObjectLock?
  /// Which objects are locked. What must go soon, such as leases, never is.
  package var isLocked: @Sendable (_ key: String) -> Bool = { _ in false }
  /// Which versions of objects are read. With any but the current ones nothing is written.
  package var versions = VersionChoice.current
  package var listingLimits = ListingLimits()
  /// The number of requests that run at once.
  package var connections = 8
  package var patience = HTTPPatience()
  /// Counts the requests.
  package var traffic = Traffic()
  package var credentials: CredentialSource
  /// Takes credentials that the server calls ended, so that `credentials` looks for others.
  package var forget: @Sendable (_ refused: S3Credentials) -> Void = { _ in }

  package init(credentials: @escaping CredentialSource) { self.credentials = credentials }
}
