/// The way in which a store is reached, and the words for it in messages to operators.
package enum StoreScheme: String, CaseIterable, Sendable {
  case directory
  case sftp
  case s3

  /// The form of a location with this scheme.
  package var form: String {
    switch self {
    case .directory: "/DIRECTORY"
    case .sftp: "sftp:USER@HOST[:PORT]/PATH"
    case .s3: "s3:https://HOST[:PORT]/BUCKET[/PREFIX]"
    }
  }

  /// The word for what holds the objects, as in "whoever can read that directory".
  package var noun: String {
    switch self {
    case .directory: "directory"
    case .sftp: "directory on the server"
    case .s3: "bucket"
    }
  }

  /// A question about the likely cause when no repository is found.
  package var absenceQuestion: String {
    switch self {
    case .directory: "Is its disk mounted?"
    case .sftp: "Is the path right, and the server's disk mounted?"
    case .s3: "Are the bucket and the prefix right?"
    }
  }

  /// The advice on what to name for a new repository.
  package var emptyLocationHint: String {
    switch self {
    case .directory: "Name a directory that is empty or does not exist."
    case .sftp: "Name a directory on the server that is empty or does not exist."
    case .s3: "Name a prefix below which there is nothing."
    }
  }

  /// The consequence when nothing may be removed.
  package var additionOnlyText: String {
    switch self {
    case .directory, .sftp: "this host can only add: what is stored stays"
    case .s3: "this host cannot remove; what it replaces is kept if the bucket keeps versions"
    }
  }

  /// The advice when nothing may be removed.
  package var removalHint: String {
    switch self {
    case .directory:
      "Run as a user who may remove there. Where names can only be added (chattr +a), whoever made it so lifts that, prunes, and makes it so again."
    case .sftp:
      "Log in as a user who may remove there. Where this account can only add, prune on the server, as the user who owns the files."
    case .s3:
      "Use credentials that permit s3:DeleteObject. Where this host can only add, prune from another one; what is locked stays until its term ends."
    }
  }
}
