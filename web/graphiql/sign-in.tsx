import { type FormEvent, useEffect, useId, useRef, useState } from 'react';
import type { Session } from './session.js';

interface SignInDialogProps {
  session: Session;
  open: boolean;
  /** Why the user is asked, such as a session that ended. */
  notice: string | null;
  /** Called when the dialog closes, after signing in or by Escape. */
  onClose(): void;
}

/** The sign-in dialog: a native modal, so that keyboard focus stays inside and Escape closes it. */
export function SignInDialog({ session, open, notice, onClose }: SignInDialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const email = useRef<HTMLInputElement>(null);
  const password = useRef<HTMLInputElement>(null);
  const id = useId();
  const [error, setError] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);

  useEffect(() => {
    if (!open) return dialog.current?.close();
    if (!dialog.current?.open) dialog.current?.showModal();
    // After a session that ended the email is still there.
    (email.current?.value ? password : email).current?.focus();
  }, [open]);

  async function submit(event: FormEvent) {
    event.preventDefault();
    if (busy || !email.current || !password.current) return;
    setBusy(true);
    setError(null);
    try {
      await session.signIn(email.current.value.trim(), password.current.value);
      password.current.value = '';
    } catch (problem) {
      setError(problem instanceof Error ? problem.message : 'Signing in did not work. Try again.');
      password.current.select();
    } finally {
      setBusy(false);
    }
  }

  return (
    <dialog ref={dialog} className="sign-in" aria-labelledby={`${id}-title`} onClose={onClose}>
      <form onSubmit={submit}>
        <h2 id={`${id}-title`}>Sign in to Harborwatch</h2>
        <p className="hint">{notice ?? 'The operations on this page run as you, with what you may see and do.'}</p>
        <label htmlFor={`${id}-email`}>Email</label>
        <input ref={email} id={`${id}-email`} type="email" name="email" autoComplete="username" required />
        <label htmlFor={`${id}-password`}>Password</label>
        <input
          ref={password}
          id={`${id}-password`}
          type="password"
          name="password"
          autoComplete="current-password"
          required
          aria-invalid={error !== null}
          aria-describedby={`${id}-error`}
        />
        <p id={`${id}-error`} className="error" role="alert">
          {error}
        </p>
        <div className="buttons">
          <button type="submit" className="primary" aria-disabled={busy}>
            {busy ? 'Signing in…' : 'Sign in'}
          </button>
          <button type="button" onClick={() => dialog.current?.close()}>
            Not now
          </button>
        </div>
      </form>
    </dialog>
  );
}
