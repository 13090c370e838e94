package import HoldfastModel
package import HoldfastSystem

/// The settings for reaching a bucket, beyond its location.
package struct S3Settings: Sendable {
  /// Returns the credentials for a request at a time. It is called for every request, and must keep what it found.
  package typealias CredentialSource = @Sendable (_ now: Timestamp) throws -> S3Credentials

  /// The region of the bucket; `nil` to take it from the name of the host, otherwise `us-east-1`.
  package var region: String?
  /// True if the bucket is named in the path instead of the host name; `nil` for true, except at Amazon's hosts.
  package var isPathStyle: Bool?
  /// A file of certificates that are trusted in place of the system's.
  package var certificates: Path?
  /// The proxy through which the bucket is reached; `nil` for a direct connection.
  package var proxy: HTTPProxy?
  /// The storage class of archives, such as `GLACIER_IR`; `nil` for the bucket's own. Manifests always have the
  /// bucket's own.
  package var archiveStorageClass: String?
  /// Returns true if an object is an archive. Archives have random names.
  package var isArchive: @Sendable (_ key: String) -> Bool = { _ in false }
  /// True if the operator has said that only one machine writes. Then the server need not be able to create an object
  /// only if it is absent.
  package var isSingleWriter = false
  /// The lock on new objects; `nil` if they are not locked.
  package var lock: ObjectLock?
  /// Returns true if an object is locked. What must be removed soon, such as a lease, never is.
  package var isLocked: @Sendable (_ key: String) -> Bool = { _ in false }
  /// The versions of objects that are read. With any but the current ones nothing is written.
  package var versions = VersionChoice.current
  package var listingLimits = ListingLimits()
  /// The number of requests that run at once.
  package var connections = 8
  package var patience = HTTPPatience()
  /// Counts the requests.
  package var traffic = Traffic()
  package var credentials: CredentialSource
  /// Forgets credentials that the server has called ended, so that `credentials` looks for others.
  package var forget: @Sendable (_ refused: S3Credentials) -> Void = { _ in }

  package init(credentials: @escaping CredentialSource) { self.credentials = credentials }
}
