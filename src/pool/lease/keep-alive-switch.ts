/** What keeps its process or thread alive while it is held. */
export type Holdable = {
  hold(): void
  release(): void
}

/** A switch for one holder, off at first: it holds once while it is on. */
export function keepAliveSwitch(holdable: Holdable): (isOn: boolean) => void {
  let isHeld = false
  return isOn => {
    if (isOn === isHeld) return
    isHeld = isOn
    if (isOn) holdable.hold()
    else holdable.release()
  }
}

/** Keeps the process or thread alive until the answer is there. Errors: the answer's. */
export function heldWhile<T>(holdable: Holdable, answer: Promise<T>): Promise<T> {
  const over = (): void => holdable.release()
  holdable.hold()
  answer.then(over, over)
  return answer
}
