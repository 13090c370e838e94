internal import HoldfastArchive
internal import HoldfastModel
package import HoldfastStore
internal import HoldfastSystem

/// The commands that make a repository append-only for this host: it can add to the repository, but not remove from it.
/// An operator pastes them into a shell at the storage. Making the recipe changes nothing.
package struct AppendOnlyRecipe: Sendable {
  /// The requests of SFTP that remove or change files.
  private static let refusedRequests =
    "remove,rmdir,rename,posix-rename,setstat,fsetstat,lsetstat,symlink,copy-data"
  private static let userBytesMax = 32

  package let location: String
  /// The lines of the recipe, each with its end. A line that is not a command is a comment.
  package let text: String

  /// - Parameter isLocked: true if this host locks the objects that it stores in a bucket.
  /// - Throws: `EngineError` with exit status 2 for an account that cannot be restricted, and for names that cannot be
  ///   pasted.
  package init(for location: StoreLocation, isLocked: Bool = false) throws {
    let shown = location.text
    guard shown.unicodeScalars.allSatisfy(Path.isPrintable), !shown.unicodeScalars.contains("\u{FFFD}") else {
      throw EngineError(
        .usage, "\(Path(shown)) has characters that cannot be pasted into a shell",
        hint: "Name a location without them.",
        exitStatus: .usage)
    }
    self.location = location.description
    switch location {
    case .directory(let path): text = Self.directory(String(decoding: path.bytes, as: UTF8.self))
    case .sftp(let user, let server, let path): text = try Self.account(user, server, path)
    case .s3(let server, let bucket, let prefix):
      let end = isLocked ? Self.lockedBucket(shown) : Self.versions(bucket)
      text = Self.policy(server.host, bucket, prefix, isLocked: isLocked) + end
    }
  }

  // MARK: A directory

  private static func directory(_ path: String) -> String {
    """
    # Nobody can remove or change what is in \(path), not even root, until root lifts it.
    # As root on the machine that has the disk, with ext4: once, and then every few minutes by cron, because new
    # directories do not inherit it.
    \(attributes(path))
    # To prune, while no backup runs, and then the two commands above again:
    #   chattr -R -a -i \(ShellText.word(path))
    #   find \(ShellText.word(path)) -name '.unfinished-*' -delete
    #   holdfast prune -r \(ShellText.word(path))

    """
  }

  private static func attributes(_ path: String) -> String {
    let folders = ["locks", "leases"].map { "-not -path \(ShellText.quoted(pattern(path) + "/\($0)/*"))" }
    return """
      find \(ShellText.word(path)) -type d -exec chattr +a {} +
      find \(ShellText.word(path)) -type f \(folders.joined(separator: " ")) -exec chattr +i {} +
      """
  }

  /// Returns a pattern that fits only this text.
  private static func pattern(_ text: String) -> String {
    text.reduce(into: "") { $0 += "\\*?[".contains($1) ? "\\\($1)" : String($1) }
  }

  // MARK: An account

  private static func account(_ user: String, _ server: StoreLocation.Server, _ path: String) throws -> String {
    // For root every file is writable, whatever its mode.
    guard user != "root" else {
      throw EngineError(
        .usage, "root cannot be kept from changing what it has stored",
        hint: "Name another user: sftp:USER@\(server)\(path)",
        exitStatus: .usage)
    }
    guard isName(user) else {
      throw EngineError(
        .usage, "\(Path(user)) is not a name that useradd and sshd_config take as it is",
        hint: "Name a user of small letters, digits, - and _.", exitStatus: .usage)
    }
    let place = ShellText.word(path)
    return """
      # 1. On this host, as the user who runs holdfast: a key, unless it has one. Say in ~/.ssh/config that it is for
      #    \(server.host), and copy holdfast.pub there.
      ssh-keygen -q -t ed25519 -N '' -f ~/.ssh/holdfast

      # 2. On \(server.host), as root, where holdfast.pub lies: an account that can add, and neither remove nor change.
      #    OpenSSH 8.2 or later; its configuration must include sshd_config.d, as that of Debian does.
      id -u \(user) || useradd --create-home --shell /usr/sbin/nologin --password '*' \(user)
      install -d -m 700 -o \(user) -g "$(id -g \(user))" \(place)
      install -d -m 755 /etc/ssh/holdfast
      install -m 644 holdfast.pub /etc/ssh/holdfast/\(user)
      cat > /etc/ssh/sshd_config.d/holdfast-\(user).conf <<'END'
      Match User \(user)
        AuthorizedKeysFile /etc/ssh/holdfast/%u
        ForceCommand internal-sftp -P \(refusedRequests)
        DisableForwarding yes
        PermitTTY no
      END
      sshd -t && systemctl reload ssh
      sshd -T -C user=\(user),host=localhost,addr=127.0.0.1 | grep '^forcecommand internal-sftp'   # must print a line

      # 3. If \(server.host) has Linux and ext4, its kernel can see to the same, whatever sshd lets through: once, and
      #    then every few minutes by cron.
      \(attributes(path))

      # To prune, on \(server.host) as root, while no backup runs, and then 3 again:
      #   chattr -R -a -i \(place)
      #   find \(place) -name '.unfinished-*' -delete
      #   sudo -u \(user) holdfast prune -r \(place)

      """
  }

  /// Returns true if the name has no special meaning in a shell, for `useradd`, and in a pattern of sshd.
  private static func isName(_ user: String) -> Bool {
    guard let first = user.utf8.first, user.utf8.count <= userBytesMax else { return false }
    func isLetter(_ byte: UInt8) -> Bool { UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte || byte == UInt8(ascii: "_") }
    func isDigit(_ byte: UInt8) -> Bool { UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte || byte == UInt8(ascii: "-") }
    return isLetter(first) && user.utf8.allSatisfy { isLetter($0) || isDigit($0) }
  }

  // MARK: A bucket

  /// Returns the policy of the user. `s3:ListBucket` has no condition on the prefix: with one, Amazon would refuse to
  /// say that an object does not exist.
  private static func policy(_ host: String, _ bucket: String, _ prefix: String, isLocked: Bool) -> String {
    let listing = isLocked ? #"["s3:ListBucket", "s3:ListBucketVersions"]"# : #""s3:ListBucket""#
    let locking = isLocked ? #", "s3:PutObjectRetention", "s3:GetObjectRetention""# : ""
    let whole = "arn:\(partition(of: host)):s3:::\(literal(bucket))"
    let objects = whole + "/" + literal(prefix)
    let removed = [LeaseNumbers.prefix, Keys.journals].map { "\(json(objects + $0 + "*"))" }
    return """
      # What the user of this host may do: add and read; remove nothing but old numbers of leases and of the journal, which
      # would pile up. With the credentials of who rules over the bucket, and the user's name in place of USER:
      cat > holdfast-policy.json <<'END'
      {
        "Version": "2012-10-17",
        "Statement": [
          {"Effect": "Allow", "Action": \(listing), "Resource": \(json(whole))},
          {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"\(locking)],
           "Resource": \(json(objects + "*"))},
          {"Effect": "Allow", "Action": "s3:DeleteObject",
           "Resource": [\(removed.joined(separator: ", "))]}
        ]
      }
      END
      aws iam put-user-policy --user-name USER --policy-name holdfast --policy-document file://holdfast-policy.json


      """
  }

  private static func versions(_ bucket: String) -> String {
    """
    # Who may put may also replace: let the bucket keep what is replaced.
    aws s3api put-bucket-versioning --bucket \(ShellText.word(bucket)) --versioning-configuration Status=Enabled

    """
  }

  private static func lockedBucket(_ location: String) -> String {
    """
    # The bucket must have had object lock from its beginning, and needs a rule for old versions: docs/operations.md, "A
    # bucket that nobody can empty". On this host, this tries whether it keeps what is locked:
    holdfast check -r \(ShellText.word(location))

    """
  }

  /// Returns the part of Amazon's cloud that a host belongs to; for the servers of others, `aws`.
  private static func partition(of host: String) -> String {
    host.hasSuffix(".amazonaws.com.cn") ? "aws-cn" : host.contains(".us-gov-") ? "aws-us-gov" : "aws"
  }

  /// Returns the text as a resource of a policy, with special characters escaped.
  private static func literal(_ text: String) -> String {
    text.escaping(["*": "${*}", "?": "${?}", "$": "${$}"])
  }

  private static func json(_ text: String) -> String {
    "\"" + text.escaping(["\\": "\\\\", "\"": "\\\""]) + "\""
  }
}
