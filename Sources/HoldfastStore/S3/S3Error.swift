package import HoldfastModel
package import HoldfastSystem

/// An error of S3 that trying again does not change.
package enum S3Error: OperatorError, Equatable {
  /// No credentials were found.
  /// - Parameter places: text that says where credentials were looked for.
  case noCredentials(places: String)
  /// The file that the operator has named has no keys of a profile.
  case noProfile(file: String, profile: String)
  /// The profile takes its keys from a service, and holdfast does not ask there.
  /// - Parameter key: the key of the file that says it.
  case profileNotRead(file: String, profile: String, key: String)
  /// Variables name a role and the file of a token for it, and holdfast does not ask for its keys.
  case webIdentityNotRead
  /// No file has the profile that was named.
  case noSuchProfile(String, files: [String])
  /// Others could determine which credentials are used, or read them.
  case unsafeFile(SecretFileRule.Objection)
  /// The credentials are unknown, wrong or have ended.
  case credentialsRefused(location: String, code: String)
  /// The credentials do not permit a request.
  /// - Parameters:
  ///   - action: the name that IAM gives to what was tried: `s3:PutObject`.
  ///   - reason: the text of the server about it, without keys; empty for none.
  case notPermitted(location: String, action: String, reason: String = "")
  /// The bucket, or its owner, has reached its quota; or the disk is full.
  /// - Parameter code: the server's word for it, or its status.
  case full(location: String, code: String)
  /// The clock of this machine differs too much from that of the server.
  /// - Parameter serverTime: the time as the server wrote it.
  case clockIsOff(location: String, serverTime: String)
  case noBucket(location: String)
  /// The bucket is in another region than the one for which requests are signed.
  /// - Parameter region: the region; `nil` if the server does not say it.
  case otherRegion(location: String, region: String?)
  /// The bucket is reached by another host.
  /// - Parameter region: the region of that host; `nil` if the server does not say it.
  case otherHost(location: String, region: String?)
  /// An object is in a storage class from which it must be thawed before it can be read.
  case isCold(key: String, location: String, storageClass: String)
  /// The server replaces objects although it was asked not to, so two machines could replace what the other has
  /// committed.
  case replacesObjects(location: String)
  /// The bucket has no object lock, but objects are to be locked.
  case noObjectLock(location: String)
  /// Earlier versions are read, so nothing is written.
  case readsVersions(location: String)
  /// The server lacks something that is needed.
  case notImplemented(location: String, what: String)
  /// Any other refusal.
  case refused(location: String, status: Int, code: String)
  /// The library expat is missing.
  case noParser

  package var message: String {
    switch self {
    case .noCredentials(let places): "there are no credentials for S3: \(places)"
    case .noProfile(let file, let profile):
      "there are no credentials for S3: \(file) has no keys of the profile \(profile)"
    case .profileNotRead(let file, let profile, let key):
      "there are no credentials for S3: the profile \(profile) in \(file) has \(key), which holdfast does not read"
    case .webIdentityNotRead:
      "there are no credentials for S3: AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN name a role, which holdfast does not ask for"
    case .noSuchProfile(let profile, let files):
      "there are no credentials for S3: there is no profile \(Path(profile)) in \(files.joined(separator: " or "))"
    case .unsafeFile(let objection): objection.message
    case .credentialsRefused(let location, let code): "\(location) refuses the credentials (\(code))"
    case .notPermitted(let location, let action, let reason):
      "\(location) does not permit \(action) with these credentials" + (reason.isEmpty ? "" : ": \(reason)")
    case .full(let location, let code): "no space is left in \(location) (\(code))"
    case .clockIsOff(let location, let serverTime):
      "the clock of this machine is off: in \(location) it is \(serverTime)"
    case .noBucket(let location): "the bucket of \(location) does not exist"
    case .otherRegion(let location, let region):
      "the bucket of \(location) is in another region\(region.map { ": \($0)" } ?? "")"
    case .otherHost(let location, let region):
      "the bucket of \(location) is at another host\(region.map { ", that of the region \($0)" } ?? "")"
    case .isCold(let key, let location, let storageClass):
      "\(key) in \(location) lies in the storage class \(storageClass), and cannot be read before it is thawed"
    case .replacesObjects(let location):
      "\(location) replaces objects that are there, though it was asked not to: two machines could replace each other's snapshots"
    case .noObjectLock(let location): "the bucket of \(location) has no object lock, so nothing there can be locked"
    case .readsVersions(let location):
      "nothing is written in \(location), because earlier versions of its objects are read"
    case .notImplemented(let location, let what): "\(location) does not implement \(what)"
    case .refused(let location, let status, let code):
      "\(location) answered with status \(status)\(code.isEmpty ? "" : " (\(code))")"
    case .noParser: "there is no libexpat to read the answers of S3"
    }
  }

  package var hint: String? {
    switch self {
    case .noProfile:
      "Correct `profile`, or the sections of that file. While `credentials-file` names it, variables are not read."
    case .noCredentials:
      "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a file with `credentials-file` in the configuration."
    case .profileNotRead(_, let profile, _):
      "Let the AWS CLI fetch them: a profile with `credential_process = aws configure export-credentials --profile \(profile) --format process`."
    case .webIdentityNotRead:
      "Let the AWS CLI fetch them: name a file with `credentials-file` in the configuration, with `credential_process = aws configure export-credentials --format process` in its section [default]; or unset both."
    case .noSuchProfile:
      "Correct AWS_PROFILE, or `profile` in the configuration; no other identity is taken in its place."
    case .unsafeFile(let objection): objection.hint
    case .credentialsRefused:
      "They come from `credentials-file`, else AWS_ACCESS_KEY_ID, else the profile in ~/.aws, else the container or the machine. Try the same ones with `aws sts get-caller-identity`."
    case .notPermitted:
      "Let the policy of this user permit it: `holdfast init --append-only-recipe` prints that of a host that takes backups."
    case .full:
      "Raise the quota of the bucket or of its user, or prune from a host that may remove; then run the same command again."
    case .clockIsOff: "Set the clock (`timedatectl`), and run the same command again."
    case .noBucket: "Make the bucket first; holdfast makes none, so that a mistyped name is told."
    case .otherRegion(_, let region):
      "Say its region with `region: \(region ?? "REGION")` in the configuration, or AWS_REGION."
    case .otherHost(_, let region):
      "Name the host of its region in the location; Amazon's is s3.\(region ?? "REGION").amazonaws.com."
    case .isCold: "Let the provider restore it (`aws s3api restore-object`), and run the same command again."
    case .replacesObjects:
      "If only one machine writes there, say `single-writer: yes` in the configuration, or HOLDFAST_SINGLE_WRITER=yes; else take another server."
    case .noObjectLock:
      "Make a bucket with object lock: docs/operations.md, \"A bucket that nobody can empty\"; or leave out `lock`."
    case .readsVersions:
      "Without HOLDFAST_VERSIONS, or `versions` in the configuration, it is written again; restore what you need first."
    case .notImplemented: "This server lacks it: store the repository on another one."
    case .refused: "Compare host, bucket, region and `path-style` with the server, and read its log of this time."
    case .noParser: "Install Debian's libexpat1."
    }
  }

  /// True if the operator has to change the configuration, or the call of the command.
  private var isOfUsage: Bool {
    switch self {
    case .noCredentials, .noProfile, .profileNotRead, .webIdentityNotRead, .noSuchProfile, .noBucket, .otherRegion,
      .otherHost, .replacesObjects,
      .noObjectLock, .readsVersions:
      true
    default: false
    }
  }

  package var exitStatus: ExitStatus { isOfUsage ? .usage : .failed }

  package var scope: ErrorScope { isOfUsage ? .usage : .machine }
}
