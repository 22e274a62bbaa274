// Sign in, or sign up.

import { useState } from "preact/hooks";
import { signIn, signUp, user } from "../api/session";
import { Field } from "../parts/Field";
import { useForm } from "../parts/form";
import { go, link, steps } from "../parts/router";

export function SignIn() {
  const anew = steps.value[0] === "sign-up";
  const [userName, setUserName] = useState("");
  const [password, setPassword] = useState("");
  const [email, setEmail] = useState("");
  const form = useForm(["userName", "password", "email"]);
  const send = async (event: Event) => {
    event.preventDefault();
    const missing = Object.fromEntries(
      [["userName", userName, "Enter your user name"], ["password", password, "Enter your password"]]
        .filter(([, value]) => !value)
        .map(([field, , said]) => [field!, said!]),
    );
    if (Object.keys(missing).length) return form.refuse(missing);
    const done = await form.send(() => (anew ? signUp(userName.trim(), password, email.trim() || null) : signIn(userName.trim(), password)));
    // who was sent here from another view stays there
    if (done && (steps.value[0] === "sign-in" || anew)) go(anew ? "wallets" : "trade");
  };
  if (user.value) return <main id="main" class="view"><p class="empty">You are signed in as {user.value.userName}</p></main>;
  return (
    <main id="main" class="view">
      <section class="panel narrow">
        <form class="body stack" onSubmit={send} noValidate key={anew ? "up" : "in"}>
          <h1>{anew ? "Sign up" : "Sign in"}</h1>
          <Field label="User name" name="username" autocomplete="username" value={userName} fault={form.faults["userName"]}
            input={setUserName} hint={anew ? "3 to 40 letters, digits, . _ or -" : undefined} autofocus />
          <Field label="Password" name="password" type="password" autocomplete={anew ? "new-password" : "current-password"}
            value={password} fault={form.faults["password"]} input={setPassword}
            hint={anew ? "At least 15 characters; a few words are easy to remember" : undefined} />
          {anew && (
            <Field label="E-mail (optional)" name="email" type="email" autocomplete="email" value={email} fault={form.faults["email"]} input={setEmail} />
          )}
          {form.fault && <p class="fault-box" role="alert">{form.fault}</p>}
          <button type="submit" class="button main wide" disabled={form.busy || user.value === undefined}>
            {form.busy ? "One moment …" : anew ? "Sign up" : "Sign in"}
          </button>
          <p class="muted">
            {anew ? "You have an account? " : "New here? "}
            <a href={link(anew ? "sign-in" : "sign-up")}>{anew ? "Sign in" : "Sign up"}</a>
          </p>
        </form>
      </section>
    </main>
  );
}
