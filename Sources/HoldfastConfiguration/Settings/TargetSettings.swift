package import HoldfastModel

/// The configuration of one target of a repository: its location, the access to it, and its failure domains.
package struct TargetSettings: Hashable, Sendable {
  /// The name of the only target of a repository that has no `targets`.
  static let onlyName = "home"

  package let name: String
  /// The location as it was written: an absolute path, or one that begins with the name of a scheme.
  package let location: String
  /// The command that connects to its SFTP server, in place of `ssh`.
  package internal(set) var sshCommand: String?
  package internal(set) var s3 = S3()
  package internal(set) var domains: [Domain: String] = [:]
  /// The policy for all sources there; `nil` if it keeps what home keeps.
  package internal(set) var retention: RetentionPolicy?

  init(name: String, location: String) { (self.name, self.location) = (name, location) }

  /// A failure domain: several targets that have it in common fail together. The words in it are the site's own.
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
    /// `compliance` or `governance`, and the number of days for which objects are locked; both or none.
    package internal(set) var lockMode: String?
    package internal(set) var lockDays: Int?
    /// The versions of objects that are read: `first`, or those of a time; `nil` for the current ones.
    package internal(set) var versions: String?
    /// True if only this machine writes; `nil` when the configuration does not say.
    package internal(set) var isSingleWriter: Bool?
    package internal(set) var connections: Int?
  }
}
