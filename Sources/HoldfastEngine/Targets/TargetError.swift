internal import HoldfastArchive
package import HoldfastModel
internal import HoldfastStore

/// The reason for which a store cannot be brought in step with home. Nothing is written there then.
package enum TargetError: OperatorError, Equatable {
  /// - Parameter absenceQuestion: the question about what to check, with which the hint begins.
  case absent(target: String, absenceQuestion: String)
  case otherRepository(target: String, home: String)
  /// Both have a revision of the keyring with this number, and they differ.
  case forkedKeyring(revision: UInt64, target: String, home: String)
  /// The target has a revision of the keyring that home does not have.
  case newerKeyring(revision: UInt64, target: String, home: String)
  /// Both have a revision of the list of targets with this number, and not the same.
  case forkedTargets(revision: UInt64, target: String, home: String)
  /// The target has a revision of the list of targets that home does not have.
  case newerTargets(revision: UInt64, target: String, home: String)
  /// Both have a revision of the names of sources with this number, and not the same.
  case forkedNames(revision: UInt64, target: String, home: String)
  /// The target has a revision of the names of sources that home does not have.
  case newerNames(revision: UInt64, target: String, home: String)
  /// Both have an object under this key, a manifest or a revision of notes, and they differ.
  case forked(key: String, target: String, home: String)
  /// The target has a revision of the notes on a source that home does not have.
  case newerNotes(key: String, target: String, home: String)
  /// Home and the target have notes on a source, each under a number that the other does not have.
  case notesApart(there: ApartNotes, here: ApartNotes)
  /// The list of targets does not have this target.
  /// - Parameter revision: the revision of the list.
  case notListed(name: String, revision: UInt64)
  /// Two targets lead to the same location.
  case sameLocation(target: String, other: String, location: String)
  /// Objects of the target are locked.
  case locked(target: String)

  package var message: String {
    switch self {
    case .absent(let target, _): "there is no repository in \(target)"
    case .otherRepository(let target, let home): "\(target) has another repository than \(home)"
    case .forkedKeyring(let revision, let target, let home):
      "revision \(revision) of the keyring in \(target) is another one than in \(home)"
    case .newerKeyring(let revision, let target, let home):
      "\(target) has revision \(revision) of the keyring, which is not in \(home)"
    case .forkedTargets(let revision, let target, let home):
      "revision \(revision) of the list of targets in \(target) is another one than in \(home)"
    case .newerTargets(let revision, let target, let home):
      "\(target) has revision \(revision) of the list of targets, which is not in \(home)"
    case .forkedNames(let revision, let target, let home):
      "revision \(revision) of the names of sources in \(target) is another one than in \(home)"
    case .newerNames(let revision, let target, let home):
      "\(target) has revision \(revision) of the names of sources, which is not in \(home)"
    case .forked(let key, let target, let home): "\(key) in \(target) is another one than in \(home)"
    case .newerNotes(let key, let target, let home): "\(target) has \(key), which is not in \(home)"
    case .notesApart(let there, let here):
      "notes were written apart from each other: \(there.text); \(here.text)"
    case .notListed(let name, let revision): "\(name) is not in the list of targets (revision \(revision))"
    case .sameLocation(let target, let other, let location):
      "the targets \(other) and \(target) are the same place: \(location)"
    case .locked(let target): "\(target) locks its objects, and copying does not extend locks yet"
    }
  }

  package var hint: String? {
    switch self {
    case .absent(_, let absenceQuestion): "\(absenceQuestion) If it is new, run `holdfast init` to make it a target."
    case .otherRepository:
      "Correct the location in the configuration, or name a place where nothing is and run `holdfast init`."
    case .forkedKeyring:
      "Two machines changed the keys, or somebody exchanged one of them. Compare `holdfast key list` at both with what you have written down, and empty the one that is wrong."
    case .newerKeyring:
      "Keys are changed at home only: home was put back, or is not the first target of the list. Compare `holdfast key list` at both."
    case .forkedTargets:
      "Two machines changed the list, each without the other. Compare `holdfast target list --repository LOCATION` at both, and empty the place whose list is wrong, after what only it has was restored."
    case .newerTargets:
      "Another target was promoted, or home was put back. Run `holdfast target list --repository LOCATION` at both: put the one that is home by the newer list first in the configuration."
    case .forkedNames:
      "Two machines renamed a source, each without the other. Compare `holdfast source list --repository LOCATION` at both, and empty the place whose names are wrong, after what only it has was restored."
    case .newerNames:
      "Sources are renamed at home only: home was put back, or is not the first target of the list. Compare `holdfast source list --repository LOCATION` at both."
    case .notesApart(let there, let here):
      "Compare `holdfast list --deleted` with `holdfast list --deleted --from TARGET`. To keep what home says, say there again what it lacks (`holdfast tag`, `pin`, `undelete`, `prune`), and remove \(there.folders) in \(there.location); to keep what the target says, remove \(here.folders) in \(here.location). Then run `holdfast sync`."
    case .forked, .newerNotes:
      "Somebody wrote there as if it were home. Both stay as they are: look at each with `holdfast list --from TARGET`, restore what you need. If the target is wrong, empty it and run `holdfast init`; if home is, name the right one first in `targets`, empty the old home, then run `holdfast init` and `holdfast sync`."
    case .notListed(let name, _):
      "Take it out of the configuration, or put it into the list again: `holdfast target add \(name)`."
    case .sameLocation: "A copy beside itself is none: correct the location of one of them, or take it out."
    case .locked: "Take `lock` out of this target, and let the default retention of the bucket lock what is copied."
    }
  }

  package var exitStatus: ExitStatus {
    switch self {
    case .absent: .noRepository
    case .otherRepository, .sameLocation, .locked: .usage
    case .notListed: .incomplete
    case .forkedKeyring, .newerKeyring, .forkedTargets, .newerTargets, .forkedNames, .newerNames, .forked, .newerNotes,
      .notesApart:
      .dataLoss
    }
  }

  package var scope: ErrorScope {
    switch self {
    case .absent, .notListed, .otherRepository, .sameLocation, .locked: .usage
    case .forkedKeyring, .newerKeyring, .forkedTargets, .newerTargets, .forkedNames, .newerNames, .forked, .newerNotes,
      .notesApart:
      .repository
    }
  }
}

extension TargetError {
  /// Two places have different revisions of something under one number.
  static func forked<Contents: RevisedManifest>(
    _ contents: Contents.Type, revision: UInt64, target: String, home: String
  ) -> TargetError {
    contents.folder == Keys.names
      ? .forkedNames(revision: revision, target: target, home: home)
      : .forkedTargets(revision: revision, target: target, home: home)
  }

  /// A target has a revision of something that home does not have.
  static func newer<Contents: RevisedManifest>(
    _ contents: Contents.Type, revision: UInt64, target: String, home: String
  ) -> TargetError {
    contents.folder == Keys.names
      ? .newerNames(revision: revision, target: target, home: home)
      : .newerTargets(revision: revision, target: target, home: home)
  }
}
