package import HoldfastModel

/// The configuration of one place of a repository: where it is, how it is reached, and what it would fail together
/// with.
package struct TargetSettings: Hashable, Sendable {
  /// The name of the only place of a repository that has no `targets`.
  static let onlyName = "home"

  package let name: String
  /// The location as it was written: an absolute path, or one that begins with the name of a scheme.
  package let location: String
  /// The command that connects to its SFTP server, in place of `ssh`.
  package internal(set) var sshCommand: String?
  package internal(set) var s3 = S3()
  package internal(set) var domains: [Domain: String] = [:]

  init(name: String, location: String) { (self.name, self.location) = (name, location) }

  /// What several targets may have in common, so that one failure takes all of them. The words are the site's own.
  package enum Domain: String, CaseIterable, Sendable {
    case site, provider, account, medium
  }

  /// The keys for a location that begins with `s3:`.
  package struct S3: Hashable, Sendable {
    package internal(set) var region: String?
    package internal(set) var isPathStyle: Bool?
    /// A file of certificates that are trusted in place of those of the system.
    package internal(set) var certificates: Path?
    /// A file of credentials in the form of AWS.
    package internal(set) var credentialsFile: Path?
    /// The name of the credentials in such a file.
    package internal(set) var profile: String?
    /// The storage class of archives.
    package internal(set) var archiveStorageClass: String?
    /// `compliance` or `governance`, and for how many days objects are locked; both or none.
    package internal(set) var lockMode: String?
    package internal(set) var lockDays: Int?
    /// Which versions of objects are read: `first`, or those of a time; `nil` for the current ones.
    package internal(set) var versions: String?
    /// Whether only this machine writes; `nil` when nothing is said.
    package internal(set) var isSingleWriter: Bool?
    package internal(set) var connections: Int?
  }
}
